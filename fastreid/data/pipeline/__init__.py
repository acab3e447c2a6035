"""From a sampler to batches of images: worker processes, prefetching, shards."""
