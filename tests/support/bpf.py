"""A machine for classic BPF: what a seccomp filter answers to a call, without a kernel."""

import struct

_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _JUMP = 0x20, 0x15, 0x25, 0x35, 0x45, 0x05
_RETURN, _AND = 0x06, 0x54


def answer(program: bytes, arch: int, number: int, arguments: tuple[int, ...]) -> int:
    """Run a filter over one call; return its verdict, SECCOMP_RET_* with data."""
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *arguments)
    instructions = list(struct.iter_unpack("<HBBI", program))
    place, held = 0, 0
    while True:
        code, if_true, if_false, constant = instructions[place]
        place += 1
        if code == _RETURN:
            return constant
        if code == _LOAD:
            held = struct.unpack_from("<I", data, constant)[0]
        elif code == _AND:
            held &= constant
        elif code == _JUMP:
            place += constant
        else:
            truths = {
                _EQUAL: held == constant,
                _GREATER: held > constant,
                _AT_LEAST: held >= constant,
                _ANY_BIT: bool(held & constant),
            }
            place += if_true if truths[code] else if_false
