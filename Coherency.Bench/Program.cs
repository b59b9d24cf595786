using System.CommandLine;
using Coherency.Bench;
using Coherency.Bench.Microbenchmarks;

RootCommand root = new("Measures virtio-fs daemons from a guest in user space: no virtual machine takes part.") { RunCommand.Create(), ReportCommand.Create(), TableCommand.Create() };
return root.Parse(args).Invoke();
