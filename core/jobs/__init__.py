"""The engine: a queue, one worker, one training process a job."""
