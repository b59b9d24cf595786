namespace Coherency.Host.Server;

/// <summary>Which files a client is to see in the memory of its device, if that has a window for it.</summary>
/// <param name="MinBytes">Of the smallest: each takes a whole range.</param>
/// <param name="Lender">What VMMs are given to map.</param>
public sealed record DaxOptions(long MinBytes, IFileLender Lender);
