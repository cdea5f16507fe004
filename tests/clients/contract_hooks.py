"""Tells schemathesis how media types are written that it does not know."""

import schemathesis

schemathesis.serializer.alias("application/toml", "text/plain")
