"""A page that shows a video's persons and actions, and what the model looked at, as one HTML file."""

from lfb_lightning.viz.page.data import Page, PageAttention, PageRow
from lfb_lightning.viz.page.writing import write_page

__all__ = ["Page", "PageAttention", "PageRow", "write_page"]
