namespace Coherency.Daemon.Grpc.Server;

/// <summary>Bounds of calls.</summary>
internal sealed record CallLimits
{
    /// <summary>Calls under way at a time, streams included; more are refused. An idle stream costs some kilobytes.</summary>
    public int CallsMax { get; init; } = 2048;

    /// <summary>A client that does not finish the one message that it has to send is cut off after so long.</summary>
    public TimeSpan ReadPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A client that takes nothing off its stream is cut off after so long.</summary>
    public TimeSpan WritePatience { get; init; } = TimeSpan.FromSeconds(20);
}
