"""Runs jobs with the `responses` of the official `openai` package: see jobs.py."""

import json

import openai

from jobs import SECONDS, Entered, Weather, each, error_of, forecast, got, serve

DELTAS = ("response.output_text.delta", "response.reasoning_summary_text.delta")
ENDS = ("response.completed", "response.incomplete")


def client_of(job):
    kind = openai.AsyncOpenAI if job["sdk"].endswith("async") else openai.OpenAI
    return kind(
        base_url=job["url"],
        api_key=job["key"],
        max_retries=job.get("retries", 0),
        timeout=SECONDS,
        default_headers=job.get("headers") or {},
    )


class Said:
    """What the items of an answer, whole or streamed, add up to."""

    def __init__(self, response=None):
        self.text, self.thinking, self.items, self.response, self.error, self.tokens = "", "", [], None, None, 0
        if response is not None:
            self.end(response)
            self.items = response.output
            self.text = response.output_text
            summaries = [item.summary for item in response.output if item.type == "reasoning"]
            self.thinking = "".join(part.text for summary in summaries for part in summary)

    def add(self, event):
        if event.type in DELTAS:
            self.tokens += 1
        match event.type:
            case "response.output_text.delta":
                self.text += event.delta
            case "response.reasoning_summary_text.delta":
                self.thinking += event.delta
            case "response.output_item.done":
                self.items.append(event.item)
            case "error":
                # The SDK hands the published form of this event on as it is.
                self.error = {"class": "APIError", "status": None, "message": event.message}
            case "response.failed":
                self.error = {"class": "APIError", "status": None, "message": event.response.error.message}
            case _ if event.type in ENDS:
                self.end(event.response)

    def end(self, response):
        self.response = response
        if response.error:
            self.error = {"class": "APIError", "status": None, "message": response.error.message}

    def calls(self):
        return [item for item in self.items if item.type == "function_call"]

    def outcome(self, error=None):
        response, usage, finish = self.response, None, None
        if response:
            finish = response.incomplete_details.reason if response.incomplete_details else response.status
            if response.usage:
                usage = {
                    "prompt": response.usage.input_tokens,
                    "completion": response.usage.output_tokens,
                    "cached": response.usage.input_tokens_details.cached_tokens,
                    "reasoning": response.usage.output_tokens_details.reasoning_tokens,
                }
        return {
            "texts": [self.text],
            "thinking": self.thinking,
            "finish": finish,
            "usage": usage,
            "store": response and response.store,
            "tools": [
                {"id": call.call_id, "name": call.name, "arguments": json.loads(call.arguments)}
                for call in self.calls()
            ],
            "error": failure(error) if error else self.error,
        }


def failure(error):
    return error_of(error, openai.APIError)


def results(said):
    asked = [item.to_dict() for item in said.items]
    outputs = [
        {"type": "function_call_output", "call_id": call.call_id, "output": forecast(json.loads(call.arguments))}
        for call in said.calls()
    ]
    return [*asked, *outputs]


async def run(job):
    async with Entered(client_of(job)) as client:
        params, responses = job["params"], client.responses

        async def streamed():
            said, error = Said(), None
            try:
                async with Entered(await got(responses.create(**params, stream=True))) as stream:
                    async for event in each(stream):
                        said.add(event)
                        if job.get("stop_after") and said.tokens >= job["stop_after"]:
                            break
            except openai.OpenAIError as raised:
                if not said.text:
                    raise
                error = raised
            return said, error

        async def turn():
            if job.get("stream"):
                return await streamed()
            return Said(await got(responses.create(**params))), None

        async def final(**more):
            async with Entered(responses.stream(**params, **more)) as stream:
                return await got(stream.get_final_response())

        match job["op"]:
            case "chat":
                said, error = await turn()
                return said.outcome(error)
            case "round":
                said, _ = await turn()
                first = {"role": "user", "content": params["input"]}
                params["input"] = [first, *results(said)]
                said, error = await turn()
                return said.outcome(error)
            case "helper":
                return Said(await final()).outcome()
            case "parse":
                whole = responses.parse(**params, text_format=Weather) if not job.get("stream") else None
                response = await got(whole) if whole else await final(text_format=Weather)
                return Said(response).outcome() | {"object": response.output_parsed.model_dump()}


serve(run, failure)
