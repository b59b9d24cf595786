using Coherency.Core.Fuse;
using Coherency.Core.Linux;

namespace Coherency.Host.Server.Statistics;

/// <summary>One request of many, for a trace.</summary>
/// <param name="ArrivedAt">When it began, as <see cref="System.Diagnostics.Stopwatch.GetTimestamp"/> has it.</param>
/// <param name="Nanoseconds">How long it took.</param>
/// <param name="Error"><see cref="Errno.None"/> when it succeeded.</param>
public readonly record struct RequestSample(FuseOpcode Opcode, NodeId Node, long ArrivedAt, long Nanoseconds, Errno Error);
