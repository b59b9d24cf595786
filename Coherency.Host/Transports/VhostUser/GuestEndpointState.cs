namespace Coherency.Host.Transports.VhostUser;

/// <summary>What a guest's endpoint is doing.</summary>
public enum GuestEndpointState
{
    /// <summary>Nobody is connected.</summary>
    Listening,

    /// <summary>A VMM is.</summary>
    Connected,

    /// <summary>The last requests are answered; then the VMM is let go.</summary>
    Draining,

    /// <summary>VMMs that connect are turned away.</summary>
    Drained,
}
