"""Pictures and files of what views show, for where there is no kernel; knows no view."""
