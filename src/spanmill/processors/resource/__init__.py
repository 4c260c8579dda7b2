"""The resource processor: changes attributes of resources."""
