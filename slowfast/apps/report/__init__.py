"""The report of any run or schedule from what lies in its folders."""
