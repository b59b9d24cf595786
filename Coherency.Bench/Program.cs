using System.CommandLine;
using Coherency.Bench;

RootCommand root = new("Measures virtio-fs daemons from a guest in user space: no virtual machine takes part.") { RunCommand.Create() };
return root.Parse(args).Invoke();
