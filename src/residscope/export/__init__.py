"""Pictures and files of what views show, for readers without a kernel; does not know the views."""
