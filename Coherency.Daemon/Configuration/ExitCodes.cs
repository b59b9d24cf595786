namespace Coherency.Daemon.Configuration;

/// <summary>What <c>coherencyd</c> exits with.</summary>
public static class ExitCodes
{
    /// <summary>Everything went as asked.</summary>
    public const int Success = 0;

    /// <summary>It started, but failed later.</summary>
    public const int Failure = 1;

    /// <summary>It did not start: the options, the share, a socket or the mount point are wrong. One line says which and why.</summary>
    public const int Unusable = 2;

    /// <summary>It was interrupted before it had done what was asked: 128 + SIGINT, as shells do.</summary>
    public const int Interrupted = 130;
}
