"""Is a data set what its configuration says? Tables, videos and frames, looked at before anyone trains."""
