"""What other thresholds would give, from cached embeddings; nothing is published."""
