using System.CommandLine;
using Coherency.Bench;

// An interrupt (Ctrl-C, SIGTERM) cancels what runs, which then stops its daemons and removes its trees.
return await BenchCommandLine.Create().Parse(args).InvokeAsync(
    new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(2) });
