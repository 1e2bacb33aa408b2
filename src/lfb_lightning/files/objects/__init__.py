"""Places that a URL names: objects in a store such as S3, read by ranges and written whole, with obstore (an extra)."""
