"""Names and behaviour of other libraries on top of ours."""
