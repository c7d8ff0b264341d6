"""What an exam is, in words a patient knows; what is worth looking at first in it; what somebody marked in it."""
