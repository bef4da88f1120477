from noctule.models.wire.documents import DocumentDecoder, JsonDocument, documents_in

A, B = JsonDocument({"a": 1}), JsonDocument({"b": 2})
END = JsonDocument(None, ends=True)
BODIES = {
    b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n': [A, B, END],
    b'data: {"a": 1}\r\n\r\ndata: {"b": 2}\r\n\r\ndata: [DONE]\r\n\r\n': [A, B, END],
    b'data: {"a": 1}\r\rdata: {"b": 2}\r\r': [A, B],
    b'\xef\xbb\xbfdata: {"a": 1}\n\ndata: {"b": 2}\n\n': [A, B],
    b'data:{"a": 1}\n\ndata:{"b": 2}\n\ndata:[DONE]\n\n': [A, B, END],
    b': OPENROUTER PROCESSING\n\ndata: {"a": 1}\n\n: ping\n\ndata: {"b": 2}\n\n': [A, B],
    b'data: {"a": 1}\ndata: {"b": 2}\ndata: [DONE]\n': [A, B, END],
    b'data: data: {"a": 1}\n\ndata: {"b": 2}': [A, B],
    b'{"a": 1}\n{"b": 2}\n': [A, B],
    b'data: {"a":\ndata:  1}\n\ndata: {"b": 2}\n\n': [A, B],
    b'id: 7\nretry: 3\ndata: {"a": 1}\n\ndata:\n\nevent: ping\n\ndata: {"b": 2}\n\n': [A, B],
    b'event: delta\ndata: {"a": 1}\n\n': [JsonDocument({"a": 1}, "delta")],
    b'data: {"a": 1}\n\ndata: {"b"': [A],
    b"": [],
}


def test_values_are_found_however_they_are_framed_and_cut() -> None:
    """The same values from one chunk, from single bytes and from two halves cut anywhere."""
    for body, values in BODIES.items():
        assert documents_in(body) == values
        for at in range(len(body)):
            decoder = DocumentDecoder()
            found = [*decoder.feed(body[:at]), *decoder.feed(body[at:]), *decoder.finish()]
            assert found == values, (body, at)


def test_a_line_of_json_is_there_when_its_line_ends() -> None:
    """Whoever streams one value a line is not waited for."""
    assert list(DocumentDecoder().feed(b'{"a": 1}\n')) == [A]
