"""What is known of LLM calls: columns that are null until processors fill them."""

import pyarrow as pa

from spanmill.schema.table import Column

_TEXT, _COUNT, _USD, _NUMBER = pa.string(), pa.int64(), pa.decimal128(18, 9), pa.float64()

LLM_COLUMNS = (
    Column("operation", _TEXT, "What the span does: chat, embeddings, execute_tool, invoke_agent, retrieval, ..."),
    Column("provider", _TEXT, "Who served the model: openai, anthropic, aws.bedrock, ..."),
    Column("request_model", _TEXT, "The model that was asked for."),
    Column("response_model", _TEXT, "The model that answered."),
    Column("input_tokens", _COUNT, "Tokens of the prompt, cached ones included."),
    Column("output_tokens", _COUNT, "Tokens of the answer, reasoning included."),
    Column("cache_read_tokens", _COUNT, "Tokens of the prompt that came from the provider's cache."),
    Column("cache_write_tokens", _COUNT, "Tokens of the prompt that were written to the provider's cache."),
    Column("reasoning_tokens", _COUNT, "Tokens of the answer spent on reasoning."),
    Column("total_tokens", _COUNT, "Input and output together."),
    Column("input_cost_usd", _USD, "Price of the input, USD."),
    Column("output_cost_usd", _USD, "Price of the output, USD."),
    Column("cost_usd", _USD, "Price of the call, USD; null when the model has no known price."),
    Column("time_to_first_token_ms", _NUMBER, "Milliseconds from the request to the first token."),
    Column("finish_reason", _TEXT, "Why the model stopped: stop, length, tool_calls, ..."),
    Column("streaming", pa.bool_(), "Whether the answer was streamed."),
    Column("input", _TEXT, "The messages sent, as JSON."),
    Column("output", _TEXT, "The messages received, as JSON."),
    Column("system_instructions", _TEXT, "The system prompt, as JSON."),
    Column("session_id", _TEXT, "The conversation or session."),
    Column("user_id", _TEXT, "The user on whose behalf the call was made."),
    Column("tags", pa.list_(_TEXT), "Free labels."),
    Column("environment", _TEXT, "production, staging, ..."),
    Column("release", _TEXT, "The application's version."),
    Column("prompt_name", _TEXT, "The prompt template's name."),
    Column("prompt_version", _TEXT, "The prompt template's version."),
    Column("feature", _TEXT, "The product feature that made the call."),
    Column("error_type", _TEXT, "What kind of error, for example a class name or a status code."),
    Column("sample_weight", _NUMBER, "How many spans this one stands for; null means 1."),
    Column("sampled_by", _TEXT, "The sampling policy that kept the trace."),
    Column("dialect", _TEXT, "Whose names the span's attributes have: gen_ai, openinference, langfuse, ..."),
    Column(
        "is_llm_call",
        pa.bool_(),
        "Whether the span is a call of a model, to be counted and priced. False for one that only restates calls which"
        " other spans report, null for anything else.",
    ),
    Column("response_id", _TEXT, "The provider's id of the answer."),
    Column("service_tier", _TEXT, "The provider's tier that the call was served in: batch, flex, priority, ..."),
    Column("cache_write_1h_tokens", _COUNT, "Those of `cache_write_tokens` that are kept for an hour."),
    Column("audio_input_tokens", _COUNT, "Those of `input_tokens` that are audio."),
    Column("audio_output_tokens", _COUNT, "Those of `output_tokens` that are audio."),
    Column("tokens_estimated", pa.bool_(), "True where token counts are an estimate from the texts."),
    Column("reported_cost_usd", _USD, "Price that the sender put on the span, USD."),
    Column("price_source", _TEXT, "Where the price is from; without a price, why there is none."),
    Column("tool_name", _TEXT, "The tool that was called."),
    Column("tool_call_id", _TEXT, "The provider's id of the tool call."),
    Column("agent_name", _TEXT, "The agent."),
    Column("documents", _TEXT, "What was retrieved or ranked, as JSON: id, score, content, metadata of each document."),
    Column("team", _TEXT, "The team that answers for the call."),
    Column("language", _TEXT, "The language of the conversation, as a BCP 47 tag."),
    Column("retries", _COUNT, "How often the request had been sent before."),
)

LOG_COLUMNS = tuple(
    column
    for column in LLM_COLUMNS
    if column.name
    in ("operation", "provider", "request_model", "response_model", "input", "output", "system_instructions", "dialect")
)
"""Those that log records have too: some SDKs send an LLM call's messages as events beside its span."""
