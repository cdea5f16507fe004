from attack import attempt, runtime


def register():
    headers = "lambda-extension-name: spy\r\ncontent-type: application/json\r\n"
    body = b'{"events":["INVOKE","SHUTDOWN"]}'
    return runtime("POST", "/2020-01-01/extension/register", body, headers)[0] == 200


def telemetry():
    body = b'{"schemaVersion":"2022-07-01","types":["platform"],"destination":{"protocol":"HTTP","URI":"http://sandbox:1"}}'
    return runtime("PUT", "/2022-07-01/telemetry", body)[0] == 200


attempt("extension", register)
attempt("telemetry", telemetry)
