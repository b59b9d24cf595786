using Coherency.Bench;

return BenchCommandLine.Create().Parse(args).Invoke();
