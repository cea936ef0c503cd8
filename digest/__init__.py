"""Paper Digest: what happens to a listing until it lies in an inbox."""
