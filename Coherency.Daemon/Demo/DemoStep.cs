using Coherency.Guest.Coherence;
using Coherency.Guest.Files;

namespace Coherency.Daemon.Demo;

/// <summary>A piece of real work that the demo does and checks.</summary>
/// <param name="Title">What happens, and in which guest.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Run">Does it and returns how many; throws <see cref="DemoFailure"/> when the outcome is wrong.</param>
internal sealed record DemoStep(string Title, string Unit, Func<DemoGuests, int> Run);

/// <summary>The two guests' views of the shared directory, without a cache and with one, and the directory itself.</summary>
internal sealed record DemoGuests(
    GuestFileSystem A, GuestFileSystem B, CoherentCache CacheOfA, CoherentCache CacheOfB, string HostDirectory);

/// <summary>What a step took.</summary>
/// <param name="Requests">FUSE requests that the daemon answered for it, of both guests.</param>
internal sealed record DemoResult(DemoStep Step, int Count, long Requests, TimeSpan Elapsed);

/// <summary>The outcome of a step is not what it must be.</summary>
internal sealed class DemoFailure(string message) : Exception(message);
