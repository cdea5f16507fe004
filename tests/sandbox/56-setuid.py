import subprocess

from attack import attempt

attempt("lent power", lambda: print(subprocess.run(["/mnt/secret/cat", "/mnt/secret/root"], capture_output=True, text=True)))
