from attack import tried

page = b"<!doctype html><script>alert(document.cookie)</script>"
png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\xff\xff\xff\xff" * 2 + b"\x08\x06\0\0\0"
for name, content in (("page.png", page), ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"), ("both.png", png + page)):
    with open(name, "wb") as file:
        file.write(content)
tried("names that lie")
