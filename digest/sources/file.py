"""Listings out of a file or a directory of files, in our own JSON or in Hugging Face's.

A file holds one listing, an array of listings, or what /api/daily_papers answers. A listing:

    {"source": "arxiv", "label": "arXiv", "state": "ok" | "partial", "note": "", "day": 0,
     "papers": [{"id": "arxiv:2611.90001", "title": "...", "authors": ["Name", {"name": "", "orcid": ""}],
                 "abstract": "", "summary": "", "organization": "", "categories": [], "keywords": [],
                 "published": "2026-11-19" | -3, "day": 0 | -1 | "2026-11-20", "kind": "new",
                 "version": 1, "venue": "", "url": "", "pdf": "", "code": "", "project": "",
                 "discussion": "", "image": "", "upvotes": 48, "comments": 7, "stars": 1300,
                 "aliases": ["doi:10.1000/x"], "sample": true}]}

Days may be relative to the newest list day asked for (0 today, -1 yesterday). `state` and `note`
speak of the listing's own `day`. docs/sources.md, "The file format", has every key.
"""
