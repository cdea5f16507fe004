"""Runs jobs with the official `google-genai` package: see jobs.py."""

from google import genai
from google.genai import errors

from jobs import SECONDS, Entered, Weather, each, error_of, forecast, got, serve


def client_of(job):
    options = {"base_url": job["url"], "timeout": SECONDS * 1000, "headers": job.get("headers") or {}}
    client = genai.Client(api_key=job["key"], http_options=options)
    return client.aio if job["sdk"].endswith("async") else client


class Said:
    """What the chunks of an answer add up to: one chunk when it came whole."""

    def __init__(self):
        self.parts, self.finish, self.usage, self.tokens = [], None, None, 0

    def add(self, chunk):
        self.usage = chunk.usage_metadata or self.usage
        for candidate in chunk.candidates or []:
            self.finish = candidate.finish_reason or self.finish
            for part in candidate.content and candidate.content.parts or []:
                self.parts.append(part)
                self.tokens += 1

    def text(self, thought):
        return "".join(part.text for part in self.parts if part.text and bool(part.thought) == thought)

    def calls(self):
        return [part.function_call for part in self.parts if part.function_call]

    def outcome(self, error=None):
        usage = self.usage
        return {
            "texts": [self.text(False)],
            "thinking": self.text(True),
            "finish": self.finish and self.finish.value,
            "usage": usage and {
                "prompt": usage.prompt_token_count,
                "completion": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
                "cached": usage.cached_content_token_count or 0,
            },
            "tools": [{"id": call.id, "name": call.name, "arguments": call.args} for call in self.calls()],
            "error": error and failure(error),
        }


def failure(error):
    return error_of(error, errors.APIError)


def results(said):
    parts = [
        {"function_response": {"id": call.id, "name": call.name, "response": {"result": forecast(call.args)}}}
        for call in said.calls()
    ]
    return [{"role": "model", "parts": said.parts}, {"role": "user", "parts": parts}]


async def run(job):
    async with Entered(client_of(job)) as client:
        params = job["params"]
        models = client.models

        async def turn():
            said, error = Said(), None
            if not job.get("stream"):
                said.add(await got(models.generate_content(**params)))
                return said, error
            try:
                async for chunk in each(await got(models.generate_content_stream(**params))):
                    said.add(chunk)
            except (errors.APIError, errors.UnknownApiResponseError) as raised:
                if not said.parts:
                    raise
                error = raised
            return said, error

        async def parse():
            params["config"] = {"response_mime_type": "application/json", "response_schema": Weather}
            if job.get("stream"):
                said, error = await turn()
                weather = Weather.model_validate_json(said.text(False))
                return said.outcome(error) | {"object": weather.model_dump()}
            said, answer = Said(), await got(models.generate_content(**params))
            said.add(answer)
            return said.outcome() | {"object": answer.parsed.model_dump()}

        async def helper():
            chat, said = client.chats.create(model=params["model"]), Said()
            async for chunk in each(await got(chat.send_message_stream(params["contents"]))):
                said.add(chunk)
            return said.outcome()

        match job["op"]:
            case "chat":
                said, error = await turn()
                return said.outcome(error)
            case "round":
                said, _ = await turn()
                first = {"role": "user", "parts": [{"text": params["contents"]}]}
                params["contents"] = [first, *results(said)]
                said, error = await turn()
                return said.outcome(error)
            case "helper":
                return await helper()
            case "parse":
                return await parse()


serve(run, failure)
