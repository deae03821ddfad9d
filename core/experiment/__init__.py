"""What an experiment is prepared from, used by training, previews and predictions alike."""
