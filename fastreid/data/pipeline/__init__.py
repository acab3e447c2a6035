"""The data pipeline: from the indices of a sampler to batches of images.

`loader` has ``ReidDataLoader``; `batch_iterator` makes its batches. `workers`, `worker_process` and
`stalls` run the worker processes, which prepare images (`preparation`); `prefetcher` makes batches
ahead of their use; `shards` divides batches among processes; `replacements` replaces unreadable
images.
"""
