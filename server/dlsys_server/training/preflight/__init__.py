"""What would go wrong with a submission, said before it starts; one file for each look."""
