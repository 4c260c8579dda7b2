"""What realistic names of models cost, read by eye in the data of genai-prices 0.2.3, for a day in November 2026.

Each row: provider and model as SDKs send them; USD per million tokens of input, output, cache reads and cache writes
(None: no price at all; for a cache without a price of its own, the input's). Where a row says `above`, these are the
prices of prompts longer than so many tokens.
"""

from typing import NamedTuple


class ByHand(NamedTuple):
    provider: str | None
    model: str
    input: str | None
    output: str | None = None
    cache_read: str | None = None
    cache_write: str | None = None
    above: tuple[int, str, str] | None = None
    """Bound, input and output."""


PRICES_BY_HAND = (
    # OpenAI: aliases, dated snapshots, reasoning, previews, old models, embeddings, fine-tunes.
    ByHand("openai", "gpt-4o", "2.5", "10", "1.25"),
    ByHand("openai", "gpt-4o-2024-05-13", "5", "15"),
    ByHand("openai", "gpt-4o-mini-2024-07-18", "0.15", "0.6", "0.075"),
    ByHand("openai", "gpt-4.1", "2", "8", "0.5"),
    ByHand("openai", "gpt-4.1-nano", "0.1", "0.4", "0.025"),
    ByHand("openai", "gpt-5", "1.25", "10", "0.125"),
    ByHand("openai", "gpt-5-mini-2025-08-07", "0.25", "2", "0.025"),
    ByHand("openai", "gpt-5.2-20251211", "1.75", "14", "0.175"),
    ByHand("openai", "o3", "2", "8", "0.5"),
    ByHand("openai", "o4-mini", "1.1", "4.4", "0.275"),
    ByHand("openai", "o1-pro", "150", "600"),
    ByHand("openai", "gpt-3.5-turbo-0125", "0.5", "1.5"),
    ByHand("openai", "gpt-4-turbo", "10", "30"),
    ByHand("openai", "gpt-4-0613", "30", "60"),
    ByHand("openai", "chatgpt-4o-latest", "5", "15"),
    ByHand("openai", "text-embedding-3-small", "0.02"),
    ByHand("openai", "text-embedding-3-large", "0.13"),
    ByHand("openai", "text-embedding-ada-002", "0.1"),
    ByHand("openai", "ft:gpt-4o-mini-2024-07-18:acme::AbC12", "0.3", "1.2"),
    # Anthropic.
    ByHand("anthropic", "claude-3-5-sonnet-20241022", "3", "15", "0.3", "3.75"),
    ByHand("anthropic", "claude-3-5-haiku-latest", "0.8", "4", "0.08", "1"),
    ByHand("anthropic", "claude-3-haiku-20240307", "0.25", "1.25", "0.03", "0.3"),
    ByHand("anthropic", "claude-opus-4-1-20250805", "15", "75", "1.5", "18.75"),
    ByHand("anthropic", "claude-haiku-4-5", "1", "5", "0.1", "1.25"),
    ByHand("anthropic", "claude-opus-4-5", "5", "25", "0.5", "6.25"),
    ByHand("anthropic", "claude-sonnet-4-20250514", "3", "15", "0.3", "3.75"),
    ByHand("anthropic", "claude-sonnet-4-5-20250929", "3", "15", "0.3", "3.75", above=(200_000, "6", "22.5")),
    # Bedrock: plain ids, cross-region profiles, ARNs, others' models.
    ByHand("aws.bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "3", "15", "0.3", "3.75"),
    ByHand("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "16.5", "0.33", "4.125"),
    ByHand("aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3", "15", "0.3", "3.75"),
    ByHand(
        "aws.bedrock",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
        "3",
        "15",
        "0.3",
        "3.75",
    ),
    ByHand("aws.bedrock", "amazon.nova-pro-v1:0", "0.8", "3.2", "0.2"),
    ByHand("aws.bedrock", "us.amazon.nova-lite-v1:0", "0.06", "0.24", "0.015"),
    ByHand("aws.bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "0.72", "0.72"),
    ByHand("aws.bedrock", "mistral.mistral-large-2402-v1:0", "4", "12"),
    ByHand("aws.bedrock", "amazon.titan-embed-text-v2:0", "0.02"),
    # Google: AI Studio and Vertex, with the paths that they put before names.
    ByHand("gcp.gemini", "gemini-2.5-pro", "1.25", "10", "0.125", above=(200_000, "2.5", "15")),
    ByHand("gcp.gemini", "models/gemini-2.5-pro", "1.25", "10", "0.125"),
    ByHand("gcp.gemini", "gemini-2.0-flash-001", "0.1", "0.4", "0.025"),
    ByHand("gcp.gemini", "gemini-3-pro-preview", "2", "12", "0.2", above=(200_000, "4", "18")),
    ByHand("gcp.gemini", "gemini-embedding-001", "0.15"),
    ByHand("gcp.vertex_ai", "publishers/google/models/gemini-2.0-flash", "0.1", "0.4", "0.025"),
    ByHand("gcp.vertex_ai", "projects/p/locations/eu/publishers/google/models/gemini-1.5-pro", "1.25", "5"),
    ByHand("gcp.vertex_ai", "claude-sonnet-4@20250514", "3", "15", "0.3", "3.75"),
    # Azure: its own spelling, and a deployment that says nothing.
    ByHand("azure.ai.openai", "gpt-4o-2024-08-06", "2.5", "10", "1.25"),
    ByHand("azure.ai.openai", "gpt-4.1-mini", "0.4", "1.6", "0.1"),
    ByHand("azure.ai.openai", "gpt-35-turbo", "0.5", "1.5"),
    ByHand("azure.ai.openai", "my-prod-gpt4o-deployment", None),
    # Others.
    ByHand("mistral_ai", "mistral-large-latest", "2", "6"),
    ByHand("mistral_ai", "codestral-latest", "0.3", "0.9"),
    ByHand("cohere", "command-r-plus", "2.5", "10"),
    ByHand("cohere", "command-r7b-12-2024", "0.0375", "0.15"),
    ByHand("deepseek", "deepseek-chat", "0.27", "1.1", "0.07"),
    ByHand("groq", "llama-3.3-70b-versatile", "0.59", "0.79"),
    ByHand("x_ai", "grok-4", "3", "15", "0.75"),
    ByHand("openrouter", "anthropic/claude-3.5-sonnet", "3", "15"),
    ByHand("openrouter", "moonshotai/kimi-k2", "0.57", "2.3"),
    ByHand("openrouter", "meta-llama/llama-3.3-70b-instruct:free", "0", "0"),
    ByHand("together_ai", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "0.88", "0.88"),
    # Through gateways that speak OpenAI's protocol, or that write the provider before the name.
    ByHand("openai", "claude-3-5-sonnet-20241022", "3", "15", "0.3", "3.75"),
    ByHand("openai", "anthropic/claude-haiku-4-5", "1", "5", "0.1", "1.25"),
    ByHand("litellm", "azure/gpt-4o", "2.5", "10", "1.25"),
    ByHand("litellm", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3", "16.5", "0.33", "4.125"),
    ByHand(None, "gpt-4o", "2.5", "10", "1.25"),
    # Nobody's price: one's own machines, and names that nothing is known of.
    ByHand("openai", "meta-llama/Llama-3.1-8B-Instruct", None),
    ByHand("ollama", "qwen2.5:7b", None),
    ByHand("vllm", "deepseek-ai/DeepSeek-R1", None),
    ByHand("gcp.gemini", "gemma-3-27b-it", None),
)
