import os
import sys

from attack import attempt

home = os.path.expanduser("~")
packages = f"{home}/.local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
shared = "/tmp"
speak = "print('ESC' + 'APED', 'a file of an earlier run was run', flush=True)\n"


def leave(path, text=speak):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


for path in (
    f"{packages}/evil.pth",
    f"{packages}/usercustomize.py",
    f"{packages}/sitecustomize.py",
    f"{home}/usercustomize.py",
    f"{shared}/sitecustomize.py",
    "/usr/lib/python3/dist-packages/evil.pth",
    "/usr/local/lib/python3.11/dist-packages/evil.pth",
    "/mnt/packages/evil.pth",
):
    attempt(path, lambda: leave(path, "import os; " + speak if path.endswith(".pth") else speak))
attempt("bashrc", lambda: leave(f"{home}/.bashrc", "echo ESC''APED"))
attempt("node", lambda: leave(f"{shared}/node_modules/fs/index.js", "console.log('ESC' + 'APED')"))
