"""What facilities write about pictures: read in the sandbox, told as words, pages and histories."""
