import os

from attack import escaped, tried

for name, value in os.environ.items():
    print(name, value)
    if name.startswith(("AWS_", "_HANDLER", "LAMBDA_", "OPENCODE_")):
        escaped(name)
tried("own environment")
