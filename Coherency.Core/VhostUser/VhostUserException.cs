namespace Coherency.Core.VhostUser;

/// <summary>
/// The peer broke the vhost-user protocol, or its socket failed: the connection is of no more use and gets closed. A back end
/// then waits for the next front end; a front end reports the message.
/// </summary>
public sealed class VhostUserException(string message) : IOException(message);
