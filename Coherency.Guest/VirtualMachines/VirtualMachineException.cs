namespace Coherency.Guest.VirtualMachines;

/// <summary>A guest did not do what was needed; the message ends with what its console and processes said.</summary>
public sealed class VirtualMachineException : Exception
{
    public VirtualMachineException()
    {
    }

    public VirtualMachineException(string message)
        : base(message)
    {
    }

    public VirtualMachineException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
