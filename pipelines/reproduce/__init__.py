"""The paper's tables and figures on public data: resumable run by run, each run a small JSON."""
