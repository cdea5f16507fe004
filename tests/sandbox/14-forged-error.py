from attack import attempt, event, runtime


def forge():
    number, _ = event()
    body = b'{"errorType":"Forged.Error","errorMessage":"forged"}'
    status, _, _ = runtime("POST", "/2018-06-01/runtime/init/error", body)
    assert status == 403, status
    runtime("POST", f"/2018-06-01/runtime/invocation/{number}/error", body)


attempt("error", forge)
