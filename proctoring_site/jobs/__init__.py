"""Work outside of requests: `queue.job` makes a task of a function, `queue.submit` has it done, once, by somebody."""
