import os

from attack import tried

tried("bytes that are no text")
os.write(1, b"\x00\xff\xfe\xc3(\xed\xa0\x80 \x1b[2J\x1b]0;title\x07 \xf0\x9f\x98")
