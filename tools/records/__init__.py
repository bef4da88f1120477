"""Tools that look at Noctule's own records, and the notes agents keep."""
