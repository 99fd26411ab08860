"""What the HTML report is made of: its texts, its plots, its gates, and what of them fits on a page."""
