namespace Coherency.Tests.Oracle;

/// <summary>Carries out calls on behalf of processes, as eng/vm/guest-calls.c does.</summary>
internal interface ICallExecutor : IDisposable
{
    /// <summary>Carries out calls in one of its processes; answers with the name of an errno, or with what a call found.</summary>
    Task<string[]> RunAsync(int process, IReadOnlyList<string> calls);

    /// <summary>Makes and ends processes.</summary>
    Task ExpectAsync(IReadOnlyList<string> requests);
}
