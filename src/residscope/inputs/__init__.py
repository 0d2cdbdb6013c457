"""What the user asked: prompts, answers and target, read and checked; runs nothing."""
