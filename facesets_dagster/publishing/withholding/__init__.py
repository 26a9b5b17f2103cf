"""What a policy withholds, taken out of face sets and given back."""
