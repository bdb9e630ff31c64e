"""How a message is written when schemathesis makes one up: as it is."""

import schemathesis


@schemathesis.serializer("message/rfc822")
def message(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()
