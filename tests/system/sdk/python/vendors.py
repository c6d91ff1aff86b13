"""What applications do with the SDKs of Azure, AWS, Google and Hugging Face, each with models behind every dialect: vendors.py ORIGIN, asserting each answer."""

import json
import sys

import boto3
import botocore.config
import botocore.exceptions
import huggingface_hub
import huggingface_hub.errors
import openai
from google import genai
from google.genai import errors, types

QUESTION = "Hello, dragoman"
QUESTIONS = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
UPSTREAMS = ["openai", "azure", "anthropic", "ollama", "bedrock", "gemini"]


def with_azure(origin: str, upstream: str) -> None:
    client = openai.AzureOpenAI(azure_endpoint=origin, api_key="of-no-use", api_version="2024-10-21", max_retries=0)
    model = f"{upstream}/think"
    reply = client.chat.completions.create(model=model, messages=QUESTIONS)
    assert reply.choices[0].message.content == QUESTION, reply
    chunks = list(client.chat.completions.create(model=model, messages=QUESTIONS, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == QUESTION, chunks
    try:
        client.chat.completions.create(model=f"{upstream}/status-429", messages=QUESTIONS)
        raise AssertionError("a 429 raised nothing")
    except openai.RateLimitError:
        pass


def with_aws(origin: str, upstream: str) -> None:
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=origin,
        region_name="us-east-1",
        aws_access_key_id="of-no-use",
        aws_secret_access_key="of-no-use",
        config=config,
    )
    messages = [{"role": "user", "content": [{"text": QUESTION}]}]
    # Bedrock's own models keep their thoughts apart from their text.
    model = f"{upstream}/{'echo' if upstream == 'bedrock' else 'think'}"
    reply = client.converse(modelId=model, messages=messages)
    assert reply["output"]["message"]["content"] == [{"text": QUESTION}], reply
    assert reply["stopReason"] == "end_turn" and reply["usage"]["outputTokens"] > 0, reply
    events = list(client.converse_stream(modelId=model, messages=messages)["stream"])
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta["text"] for delta in deltas) == QUESTION, events
    assert [event["messageStop"]["stopReason"] for event in events if "messageStop" in event] == ["end_turn"], events

    tools = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]}
    model = f"{upstream}/parallel-tools"
    reply = client.converse(modelId=model, messages=messages, toolConfig=tools)
    calls = [block["toolUse"] for block in reply["output"]["message"]["content"] if "toolUse" in block]
    assert [call["name"] for call in calls] == ["weather", "weather"], reply
    assert reply["stopReason"] == "tool_use", reply
    results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "sunny"}]}} for call in calls]
    told = [*messages, reply["output"]["message"], {"role": "user", "content": results}]
    reply = client.converse(modelId=model, messages=told, toolConfig=tools)
    assert reply["stopReason"] == "end_turn", reply
    events = list(client.converse_stream(modelId=model, messages=messages, toolConfig=tools)["stream"])
    begun = [event["contentBlockStart"]["start"]["toolUse"] for event in events if "contentBlockStart" in event]
    assert [call["name"] for call in begun] == ["weather", "weather"], events
    pieces = {}
    for delta in (event["contentBlockDelta"] for event in events if "contentBlockDelta" in event):
        if "toolUse" in delta["delta"]:
            index = delta["contentBlockIndex"]
            pieces[index] = pieces.get(index, "") + delta["delta"]["toolUse"]["input"]
    assert [json.loads(piece) for piece in pieces.values()] == [call["input"] for call in calls], events

    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 64, "messages": QUESTIONS}
    model = f"{upstream}/echo"
    reply = json.loads(client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
    assert reply["content"][0]["text"] == QUESTION, reply
    events = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in events]
    assert events[-1]["type"] == "message_stop", events
    text = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(text) == QUESTION, events
    body["tools"] = [{"name": "weather", "input_schema": SCHEMA}]
    model = f"{upstream}/parallel-tools"
    reply = json.loads(client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
    assert [block["name"] for block in reply["content"] if block["type"] == "tool_use"] == ["weather", "weather"], reply
    try:
        client.invoke_model(modelId=f"{upstream}/status-429", body=json.dumps(body))
        raise AssertionError("a 429 raised nothing")
    except client.exceptions.ThrottlingException:
        pass
    try:
        model = f"{upstream}/tokens-64+cut-3"
        list(client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"])
        raise AssertionError("a stream that broke raised nothing")
    except botocore.exceptions.EventStreamError:
        pass

    try:
        client.converse(modelId=f"{upstream}/status-429", messages=messages)
        raise AssertionError("a 429 raised nothing")
    except client.exceptions.ThrottlingException:
        pass
    try:
        client.converse(modelId="nobody", messages=messages)
        raise AssertionError("an unknown model raised nothing")
    except client.exceptions.ResourceNotFoundException as error:
        assert "nobody" in str(error), error
    try:
        list(client.converse_stream(modelId=f"{upstream}/tokens-64+cut-3", messages=messages)["stream"])
        raise AssertionError("a stream that broke raised nothing")
    except botocore.exceptions.EventStreamError:
        pass


def with_google(origin: str, upstream: str) -> None:
    client = genai.Client(api_key="of-no-use", http_options=types.HttpOptions(base_url=origin))
    # Gemini's own models keep their thoughts apart from their text.
    model = f"{upstream}/{'echo' if upstream == 'gemini' else 'think'}"
    reply = client.models.generate_content(model=model, contents=QUESTION)
    assert reply.text == QUESTION, reply
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP, reply
    assert reply.usage_metadata.candidates_token_count > 0, reply
    chunks = list(client.models.generate_content_stream(model=model, contents=QUESTION))
    assert "".join(chunk.text or "" for chunk in chunks) == QUESTION, chunks
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP, chunks[-1]

    weather = types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[weather])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    model = f"{upstream}/parallel-tools"
    reply = client.models.generate_content(model=model, contents=QUESTION, config=config)
    assert [call.name for call in reply.function_calls] == ["weather", "weather"], reply
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"sky": "sunny"}))
        for call in reply.function_calls
    ]
    told = [
        types.Content(role="user", parts=[types.Part(text=QUESTION)]),
        reply.candidates[0].content,
        types.Content(role="user", parts=results),
    ]
    reply = client.models.generate_content(model=model, contents=told, config=config)
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP and not reply.function_calls, reply

    listed = [model.name for model in client.models.list() if model.name.startswith(f"models/{upstream}/")]
    # Azure and Bedrock have no list of what can be called.
    assert bool(listed) == (upstream not in ("azure", "bedrock")), listed
    for name in listed[:1]:
        assert client.models.get(model=name).name == name

    for word, code in (("status-429", 429), ("status-503", 503)):
        try:
            client.models.generate_content(model=f"{upstream}/{word}", contents=QUESTION)
            raise AssertionError(f"a {code} raised nothing")
        except errors.APIError as error:
            assert error.code == code and error.status and error.message, error
    try:
        client.models.generate_content(model="nobody", contents=QUESTION)
        raise AssertionError("an unknown model raised nothing")
    except errors.ClientError as error:
        assert error.code == 404 and error.status == "NOT_FOUND", error


def with_hugging_face(origin: str, upstream: str) -> None:
    # TGI's clients name no model: the map goes by a header.
    to = {"x-upstream": upstream}
    client = huggingface_hub.InferenceClient(base_url=origin, token="of-no-use", headers=to)
    assert client.text_generation(QUESTION) == QUESTION
    reply = client.text_generation(QUESTION, details=True, max_new_tokens=100, stop=["."])
    assert reply.details.finish_reason == "eos_token" and reply.details.generated_tokens > 0, reply
    chunks = list(client.text_generation(QUESTION, stream=True, details=True))
    assert "".join(chunk.token.text for chunk in chunks if not chunk.token.special) == QUESTION, chunks
    assert chunks[-1].generated_text == QUESTION, chunks[-1]
    chat = huggingface_hub.InferenceClient(base_url=f"{origin}/v1", token="of-no-use")
    reply = chat.chat_completion(QUESTIONS, model=f"{upstream}/think")
    assert reply.choices[0].message.content == QUESTION, reply
    chunks = list(chat.chat_completion(QUESTIONS, model=f"{upstream}/think", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == QUESTION, chunks
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    reply = chat.chat_completion(QUESTIONS, model=f"{upstream}/parallel-tools", tools=tools)
    assert [call.function.name for call in reply.choices[0].message.tool_calls] == ["weather", "weather"], reply
    limited = {**to, "x-limited": "yes"}
    limited = huggingface_hub.InferenceClient(base_url=origin, token="of-no-use", headers=limited)
    for work in (
        lambda: chat.chat_completion(QUESTIONS, model=f"{upstream}/status-429"),
        lambda: limited.text_generation(QUESTION),
    ):
        try:
            raise AssertionError(f"a 429 raised nothing: {work()}")
        except (huggingface_hub.errors.HfHubHTTPError, huggingface_hub.errors.TextGenerationError) as error:
            assert "429" in str(error), error


def main() -> None:
    origin = sys.argv[1]
    for upstream in UPSTREAMS:
        for walk in (with_azure, with_aws, with_google, with_hugging_face):
            try:
                walk(origin, upstream)
            except BaseException:
                print(f"{walk.__name__} and {upstream}:", file=sys.stderr)
                raise
    print("ok")


main()
